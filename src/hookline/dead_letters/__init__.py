"""Dead letters after they were written: read, grouped, sent again and deleted; for the command line and the console."""
