"""Tools for development, the demo and the tests: supervised processes, free ports and the AWS emulator."""
