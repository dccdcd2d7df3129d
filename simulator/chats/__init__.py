"""Messages between simulated accounts and the companions of linked ones."""
