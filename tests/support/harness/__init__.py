"""What the suites share: a server of their own, signers written from the published rules, and waiting."""
