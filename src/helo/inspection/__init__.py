"""What a trained model holds: what its units follow, where its gradients go, what an answer rests on."""
