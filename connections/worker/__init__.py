"""The worker: makes connections what people want them to be, and writes down what they are."""
