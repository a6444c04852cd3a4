"""What would the program train, and with which batch size and learning rate? Found out in the place of its `fit`."""
