//! What the parser may be made to do before anybody has signed anything.

/// What one document may cost. Every limit is checked before the work it bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the source.
    pub bytes: usize,
    /// Elements inside one another; the root has depth 1.
    pub depth: usize,
    /// Elements and texts in the document.
    pub nodes: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Namespace declarations in force at any one place.
    pub namespaces: usize,
    /// Length of one namespace name.
    pub namespace_bytes: usize,
    /// Whether the document may begin with a UTF-8 byte order mark. Some editors write one into
    /// metadata files; protocol messages have none.
    pub byte_order_mark: bool,
}

impl Limits {
    /// Protocol messages: they come from anybody who can reach us.
    pub const MESSAGE: Self = Self {
        bytes: 256 * 1024,
        depth: 48,
        nodes: 20_000,
        attributes: 64,
        namespaces: 64,
        namespace_bytes: 512,
        byte_order_mark: false,
    };

    /// Metadata: it comes from an administrator or from a URL that one has given.
    pub const METADATA: Self =
        Self { bytes: 2 * 1024 * 1024, nodes: 100_000, byte_order_mark: true, ..Self::MESSAGE };
}
