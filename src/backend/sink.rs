//! Where gradients go.

/// How a gradient kernel leaves its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Overwrite what is there.
    Set,
    /// Add to what is there.
    Add,
}

/// Where a gradient goes, and how.
#[derive(Debug, Clone)]
pub struct Sink<T> {
    /// Of the operand's shape.
    pub tensor: T,
    /// Whether this is the first contribution.
    pub write: Write,
}
