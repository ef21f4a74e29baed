"""Session descriptions (RFC 8866) as the switch needs them: read, edited line by line, written back."""
