"""The pure parts, one by one: rules, lines, chains, transitions. Nothing here touches a file."""
