"""Files: the actions fs.*."""
