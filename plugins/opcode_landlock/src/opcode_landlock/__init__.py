"""Commands behind Landlock and seccomp."""
