"""Floor 6: holds — whatever keeps somebody's money back, with reason, owner, deadline and appeal."""
