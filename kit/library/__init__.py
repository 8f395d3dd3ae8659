"""What `import kit` offers to programs and notebooks: a bundle's rows and numbers, verification and comparison."""
