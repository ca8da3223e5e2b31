"""What runs in Lambda: events come in, objects are read from S3, the cache converges on them."""
