"""Create the AWS clients for provisioning, and translate their errors."""
