"""helo: recurrent networks over any sequence."""
