"""The rules by subject: each looks at the facts and yields what it has to say, with severity, evidence and remedy."""
