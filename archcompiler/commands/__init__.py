"""One module for each command of `archc`, each with a `command`."""
