"""Run in Lambda: parse events, read objects from S3, and make the cache match them."""
