"""HTTP: one attempt, a request out and an answer or a failure back (`Sender`), one file an adapter."""
