"""The figures: each module measures one, or a group that shares its servers."""
