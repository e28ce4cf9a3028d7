//! Why a source is not accepted.

/// The source is not a document that is accepted here. The message never repeats its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct ParseError {
    /// Where the parser stood, from 1.
    pub line: u32,
    pub fault: ParseFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseFault {
    #[error("the document is larger than accepted")]
    TooLarge,
    #[error("the document is not UTF-8")]
    NotUtf8,
    #[error("the document begins with a byte order mark")]
    ByteOrderMark,
    #[error("the XML declaration is not one of version 1.0 and UTF-8 at the very beginning")]
    Declaration,
    #[error("a document type declaration is not accepted")]
    DocumentType,
    #[error("processing instructions are not accepted")]
    ProcessingInstruction,
    #[error("an entity other than the five predefined ones is not accepted")]
    Entity,
    #[error("a reference is malformed")]
    Reference,
    #[error("a character is not allowed in XML 1.0")]
    Character,
    #[error("the markup is malformed or unbalanced")]
    Markup,
    #[error("a name is malformed or too long")]
    Name,
    #[error("an attribute is malformed")]
    Attribute,
    #[error("an attribute occurs twice in one element")]
    DuplicateAttribute,
    #[error("a namespace prefix is not declared")]
    UndeclaredPrefix,
    #[error("a reserved namespace prefix or name is declared")]
    ReservedPrefix,
    #[error("a namespace name is not an absolute URI, or too long")]
    NamespaceUri,
    #[error("elements are nested deeper than accepted")]
    TooDeep,
    #[error("there are more elements than accepted")]
    TooManyNodes,
    #[error("an element has more attributes than accepted")]
    TooManyAttributes,
    #[error("there are more namespace declarations than accepted")]
    TooManyNamespaces,
    #[error("there is no root element")]
    NoRoot,
    #[error("there is content outside the root element")]
    OutsideRoot,
}

impl ParseError {
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }
}

impl ParseFault {
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "xml.too_large",
            Self::NotUtf8 => "xml.not_utf8",
            Self::ByteOrderMark => "xml.byte_order_mark",
            Self::Declaration => "xml.declaration",
            Self::DocumentType => "xml.doctype",
            Self::ProcessingInstruction => "xml.processing_instruction",
            Self::Entity => "xml.entity",
            Self::Reference => "xml.reference",
            Self::Character => "xml.character",
            Self::Markup => "xml.markup",
            Self::Name => "xml.name",
            Self::Attribute => "xml.attribute",
            Self::DuplicateAttribute => "xml.duplicate_attribute",
            Self::UndeclaredPrefix => "xml.undeclared_prefix",
            Self::ReservedPrefix => "xml.reserved_prefix",
            Self::NamespaceUri => "xml.namespace_uri",
            Self::TooDeep => "xml.too_deep",
            Self::TooManyNodes => "xml.too_many_nodes",
            Self::TooManyAttributes => "xml.too_many_attributes",
            Self::TooManyNamespaces => "xml.too_many_namespaces",
            Self::NoRoot => "xml.no_root",
            Self::OutsideRoot => "xml.trailing",
        }
    }
}
