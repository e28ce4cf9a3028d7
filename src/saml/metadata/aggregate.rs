//! One entity out of the metadata of a whole federation: tens of MiB with thousands of entities, of
//! which one is wanted.
//!
//! The file is read once from end to end, and only the wanted entity is kept: it comes out as a
//! document of its own, inside the start tags that stood around it, so that its namespaces and the
//! times which bound it stay. That document is read as strictly as any other. What is wrong with the
//! other entities does not matter.

use std::io::BufRead;

use super::entity::{has_idp, listed};
use super::{IdpMetadata, MetadataError};
use crate::clock::Timestamp;
use crate::saml::EntityId;
use crate::xml::stream::{StartTag, Stream, StreamError};
use crate::xml::{Limits, ns, parse};

/// Largest file that is read, in bytes. The largest interfederations publish about 100 MB.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// The wanted entity as a document of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Excerpt {
    pub xml: Vec<u8>,
    /// Where the entity begins in the file, from 1. It begins on line 1 of `xml`.
    pub line: u32,
    /// How many entities the file has.
    pub entities: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum AggregateError {
    #[error(transparent)]
    Unreadable(#[from] StreamError),
    /// The file as a whole does not do.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error("line {line}: {wanted} is there for the second time")]
    Repeated { wanted: EntityId, line: u32 },
    #[error("in the entity that begins on line {line}, counted from there: {error}")]
    Entity { line: u32, error: MetadataError },
}

impl AggregateError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(StreamError::Xml(_)) => "metadata.xml",
            Self::Unreadable(StreamError::Read(_)) => "metadata.unreadable",
            Self::Metadata(error) | Self::Entity { error, .. } => error.code(),
            Self::Repeated { .. } => "metadata.ambiguous",
        }
    }
}

/// Finds the entity and reads it: [`find`], then [`IdpMetadata::parse`].
///
/// # Errors
/// What is wrong with the file or with this entity, with element, line and reason.
pub fn read(
    source: impl BufRead,
    wanted: Option<&EntityId>,
    now: Timestamp,
) -> Result<(Excerpt, IdpMetadata), AggregateError> {
    let excerpt = find(source, wanted)?;
    let line = excerpt.line;
    let metadata = IdpMetadata::parse(&excerpt.xml, wanted, now)
        .map_err(|error| AggregateError::Entity { line, error })?;
    Ok((excerpt, metadata))
}

/// Finds the entity `wanted`, or the only IdP there is. Holds one entity at a time (at most 2 MiB).
///
/// # Errors
/// The file cannot be read to its end, does not have that entity, or has it twice; or it has several
/// IdPs and nobody said which one is meant: some are listed then.
pub fn find(source: impl BufRead, wanted: Option<&EntityId>) -> Result<Excerpt, AggregateError> {
    let mut stream = Stream::new(source, MOST_BYTES, Limits::METADATA);
    let mut around: Vec<(String, String)> = Vec::new();
    let mut found: Option<Excerpt> = None;
    let mut providers = Providers::default();
    let mut entities = 0;
    loop {
        let Some(tag) = stream.child()? else {
            if around.pop().is_none() {
                break;
            }
            continue;
        };
        if tag.is(ns::MD, "EntitiesDescriptor") {
            around.push(tag.as_wrapper());
            stream.enter(tag);
        } else if tag.is(ns::MD, "EntityDescriptor") {
            entities += 1;
            let id = tag.attribute("entityID").unwrap_or_default();
            match wanted {
                Some(wanted) if wanted.as_str() != id => providers.name(id),
                Some(wanted) if found.is_some() => {
                    let (wanted, line) = (wanted.clone(), tag.line);
                    return Err(AggregateError::Repeated { wanted, line });
                }
                Some(_) => found = Some(excerpt(&mut stream, &tag, &around)?),
                None => {
                    let this = excerpt(&mut stream, &tag, &around)?;
                    if holds_idp(&this.xml) {
                        providers.name(id);
                        found.get_or_insert(this);
                    }
                }
            }
        } else if around.is_empty() {
            let found = tag.local_name().chars().take(64).collect();
            return Err(MetadataError::NotMetadata { found, line: tag.line }.into());
        }
    }
    let shown = || listed(providers.first.iter().map(String::as_str));
    match (found, wanted) {
        (Some(_), None) if providers.count > 1 => {
            let (count, found) = (providers.count, shown());
            Err(MetadataError::Ambiguous { count, found }.into())
        }
        (Some(found), _) => Ok(Excerpt { entities, ..found }),
        (None, Some(wanted)) if providers.count > 0 => {
            let wanted = wanted.clone();
            Err(MetadataError::OtherEntity { wanted, found: shown() }.into())
        }
        (None, _) => Err(MetadataError::NoIdentityProvider.into()),
    }
}

/// The entity in the tags that stand around it.
fn excerpt<R: BufRead>(
    stream: &mut Stream<R>,
    tag: &StartTag,
    around: &[(String, String)],
) -> Result<Excerpt, AggregateError> {
    let wrapping: usize = around.iter().map(|(start, end)| start.len() + end.len()).sum();
    let most = Limits::METADATA.bytes.saturating_sub(wrapping);
    let entity = stream.copy(tag, most)?;
    let mut xml = Vec::with_capacity(wrapping + entity.len());
    for (start, _) in around {
        xml.extend_from_slice(start.as_bytes());
    }
    xml.extend_from_slice(&entity);
    for (_, end) in around.iter().rev() {
        xml.extend_from_slice(end.as_bytes());
    }
    Ok(Excerpt { xml, line: tag.line, entities: 0 })
}

/// Whether the text is that of an IdP. One that cannot be read is taken for one, so that the strict
/// reader says what is wrong with it. Only a text that has the word in it is parsed.
fn holds_idp(xml: &[u8]) -> bool {
    const ROLE: &[u8] = b"IDPSSODescriptor";
    xml.windows(ROLE.len()).any(|window| window == ROLE)
        && parse(xml, &Limits::METADATA).map_or(true, |document| has_idp(document.root()))
}

/// How many entities were passed, and the first few of them.
#[derive(Default)]
struct Providers {
    count: usize,
    first: Vec<String>,
}

impl Providers {
    fn name(&mut self, id: &str) {
        self.count += 1;
        // One more than is listed, so that it shows that there are more.
        if self.first.len() < 6 {
            self.first.push(id.chars().take(1024).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;
    use crate::saml::fixture::{IDP, at, idp_metadata, now};
    use crate::saml::metadata::ContentFault;

    fn id(text: &str) -> EntityId {
        EntityId::parse(text).unwrap()
    }

    fn named(entity_id: &str) -> String {
        idp_metadata().replace(IDP, entity_id)
    }

    /// `before`, an IdP whose prefixes are declared further out, and `after`.
    fn file(before: &str, attributes: &str, after: &str) -> String {
        let idp = named("https://wanted.example")
            .replace(&format!(" xmlns:md=\"{}\" xmlns:ds=\"{}\"", ns::MD, ns::DS), "");
        format!(
            "<?xml version=\"1.0\"?>\n<md:EntitiesDescriptor xmlns:md=\"{}\"\n Name='all'>\n{before}\n\
             <md:EntitiesDescriptor{attributes} xmlns:ds=\"{}\">\n{idp}\n</md:EntitiesDescriptor>\n\
             {after}</md:EntitiesDescriptor>\n",
            ns::MD,
            ns::DS
        )
    }

    fn wanted(file: &str) -> Result<(Excerpt, IdpMetadata), AggregateError> {
        let source = BufReader::with_capacity(100, file.as_bytes());
        read(source, Some(&id("https://wanted.example")), now())
    }

    #[test]
    fn one_entity_is_found_with_what_stands_around_it() {
        let (one, two) = (named("https://one.example"), named("https://two.example"));
        let until = format!(" validUntil=\"{}\" cacheDuration=\"PT1H\"", at(50));
        let file = file(&one, &until, &two);
        let (excerpt, metadata) = wanted(&file).unwrap();
        assert_eq!(metadata.entity_id, id("https://wanted.example"));
        assert_eq!(metadata.valid_until, Some(now().shifted(50_000_000)));
        assert_eq!(metadata.cache_duration, Some(std::time::Duration::from_secs(3600)));
        assert_eq!(excerpt.entities, 3);
        let text = String::from_utf8(excerpt.xml).unwrap();
        assert!(!text.contains("one.example") && !text.contains("two.example"), "{text}");
        let line = file.lines().position(|line| line.contains("wanted.example")).unwrap() + 1;
        assert_eq!(usize::try_from(excerpt.line), Ok(line));
        // What is read is what the whole file says.
        let whole = IdpMetadata::parse(file.as_bytes(), Some(&id("https://wanted.example")), now())
            .unwrap();
        assert_eq!(format!("{whole:?}"), format!("{metadata:?}"));
    }

    #[test]
    fn only_what_is_chosen_must_be_understood() {
        let broken = named("https://broken.example")
            .replace("<md:NameIDFormat>", "<x:y z><a/></x:y><md:NameIDFormat>");
        let expired = named("https://old.example")
            .replace(" entityID=", &format!(" validUntil=\"{}\" entityID=", at(-1)));
        let nameless = idp_metadata().replace(" entityID=", " entityid=");
        let others = format!("{expired}{broken}{nameless}");
        assert_eq!(wanted(&file(&others, "", &others)).unwrap().0.entities, 7);
        // Nothing wrong with the chosen one is forgiven, and the line is that of the file.
        let bad = file(&others, "", "").replace("https://idp.example/slo\"", "javascript:x\"");
        match wanted(&bad).unwrap_err() {
            AggregateError::Entity { line, error } => {
                let [only] = error.findings() else { panic!("{error}") };
                assert!(matches!(only.fault, ContentFault::Location { .. }));
                let at =
                    bad.lines().collect::<Vec<_>>()[usize::try_from(line + only.line).unwrap() - 2];
                assert!(at.contains("SingleLogoutService"), "{at}");
            }
            other => panic!("{other}"),
        }
        let late = file("", &format!(" validUntil=\"{}\"", at(-1)), "");
        assert_eq!(wanted(&late).unwrap_err().code(), "metadata.expired");
    }

    #[test]
    fn what_is_not_there_or_not_clear_is_said_with_names() {
        let many: String = (0..8).map(|n| named(&format!("https://idp{n}.example"))).collect();
        let code = |file: &str, id: Option<&EntityId>| {
            let error = find(file.as_bytes(), id).unwrap_err();
            (error.code(), error.to_string())
        };
        let sp = named("https://sp.example").replace("IDPSSODescriptor", "SPSSODescriptor");
        let (which, says) = code(&file(&many, "", &sp), None);
        assert_eq!(which, "metadata.ambiguous");
        assert!(says.contains("9 identity providers") && says.contains("https://idp4.example, …"));
        assert!(!says.contains("idp5") && !says.contains("sp.example"), "{says}");
        let (which, says) = code(&file(&many, "", ""), Some(&id("https://no.example")));
        assert_eq!(which, "metadata.other_entity");
        assert!(says.contains("https://no.example") && says.contains("https://idp0.example"));
        let twice = file("", "", &named("https://wanted.example"));
        assert_eq!(wanted(&twice).unwrap_err().code(), "metadata.ambiguous");
        assert_eq!(code("<html/>", None).0, "metadata.not_metadata");
        assert_eq!(
            code(&file(&sp, "", "").replace("IDPSSO", "SPSSO"), None).0,
            "metadata.no_identity_provider"
        );
        assert_eq!(code("<a>", None).0, "metadata.not_metadata");
        // A single IdP needs no choice.
        assert!(find(file(&sp, "", &sp).as_bytes(), None).is_ok());
        assert!(wanted(&named("https://wanted.example")).is_ok());
        // Neither is one that only has the word in it, or that speaks an older SAML, one to choose.
        let word = sp.replace("<md:NameIDFormat>", "<!-- IDPSSODescriptor --><md:NameIDFormat>");
        let old = named("https://old.example").replace(ns::SAMLP, "urn:oasis:names:tc:SAML:1.1:x");
        for other in [word, old] {
            for file in [file(&other, "", ""), file("", "", &other)] {
                let (_, metadata) = read(file.as_bytes(), None, now()).unwrap();
                assert_eq!(metadata.entity_id, id("https://wanted.example"));
            }
        }
        // To the end: a file that was cut is not read.
        let cut = file(&many, "", &many);
        assert_eq!(wanted(&cut[..cut.len() - 30]).unwrap_err().code(), "metadata.xml");
    }
}
