"""Finding out whether everything that delivering needs is there, without delivering anything."""
