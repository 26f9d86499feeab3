"""What Mainspring talks to: each adapter satisfies a seam that its caller declares."""
