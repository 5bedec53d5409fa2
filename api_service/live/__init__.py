"""What a page that stays open is told: changes as events, and figures."""
