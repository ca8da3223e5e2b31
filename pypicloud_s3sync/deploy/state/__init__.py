"""Read the state of S3 sync, and describe plan and state as JSON documents."""
