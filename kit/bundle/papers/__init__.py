"""Evidence inside a PDF: a manifest, or a bundle's signed statement, as associated files."""
