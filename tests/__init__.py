"""Laws, one a test; the folders mirror `simulator/`.

test_tidy test_layers test_public_names test_packaging test_determinism test_documentation
judge the repository itself.
"""
