"""The exams that engines and other plugs must pass, ours and yours."""
