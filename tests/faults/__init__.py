"""The fault table: faults with their expected status and recovery, and the tests that run them."""
