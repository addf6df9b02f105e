"""Small domains to run experiments on."""
