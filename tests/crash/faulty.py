"""Ways to break Usher, so that the crash test itself is tested."""
