"""Build the minimal IAM policy of an operator, who runs the commands or whose server shows the admin UI."""
