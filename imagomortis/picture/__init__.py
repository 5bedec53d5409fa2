"""Pictures: their files, their headers, and how they are decoded and encoded."""
