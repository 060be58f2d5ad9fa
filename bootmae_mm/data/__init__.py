"""What a sample is: which pictures, how they are read and cropped, and its random numbers."""
