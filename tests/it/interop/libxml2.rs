//! Canonical forms, judged by libxml2: our own signer and verifier would agree on any mistake.

use std::collections::BTreeSet;

use serde::Deserialize;
use sloop::xml::{Limits, c14n, parse};

use crate::support::mutator::Seeded;
use crate::support::python;
use crate::support::random_xml::{Sample, sample};

const DOCUMENTS: u64 = 5_000;
const SEED: u64 = 0x00C1_4E00;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Canonical(String),
    Error(String),
}

fn canonical(sample: &Sample) -> String {
    let document = parse(sample.xml.as_bytes(), &Limits::MESSAGE)
        .unwrap_or_else(|error| panic!("{error}:\n{}", sample.xml));
    let mut apex = document.root();
    for index in &sample.path {
        apex = apex.elements().nth(*index).unwrap();
    }
    String::from_utf8(c14n::exclusive(apex, None, &sample.prefixes).unwrap()).unwrap()
}

#[test]
fn random_documents_have_the_canonical_form_that_libxml2_gives_them() {
    let samples: Vec<Sample> =
        (0..DOCUMENTS).map(|number| sample(&mut Seeded::new(SEED + number))).collect();
    // The documents are what they are meant to be.
    let different: BTreeSet<&str> = samples.iter().map(|sample| sample.xml.as_str()).collect();
    assert!(different.len() > samples.len() * 9 / 10, "{}", different.len());
    for (what, least) in [("xmlns=\"\"", 300), ("<![CDATA[", 500), ("&#13;", 500), ("<!--", 500)] {
        let with = samples.iter().filter(|sample| sample.xml.contains(what)).count();
        assert!(with > least, "{what}: {with}");
    }
    assert!(samples.iter().filter(|sample| !sample.path.is_empty()).count() > 1_000);
    assert!(samples.iter().filter(|sample| !sample.prefixes.is_empty()).count() > 2_000);

    let answers: Vec<Answer> = python::lines("c14n.py", &samples);

    for (number, (sample, answer)) in samples.iter().zip(answers).enumerate() {
        match answer {
            Answer::Canonical(theirs) => {
                assert_eq!(canonical(sample), theirs, "document {number}: {sample:#?}");
            }
            Answer::Error(error) => panic!("document {number}: {error}: {sample:#?}"),
        }
    }
}
