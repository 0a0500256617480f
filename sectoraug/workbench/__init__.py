"""Long jobs on whole archives (extra `workbench`); nothing else imports it."""
