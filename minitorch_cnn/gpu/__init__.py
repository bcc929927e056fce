"""What only a GPU needs: kernels, their launches, and work that is recorded once and replayed."""
