//! What a caller is told stands in `docs/integrate.md`.

const DOCUMENT: &str = include_str!("../../../../docs/integrate.md");
const NODE: &str = include_str!("../../../connectors/tests/recordings/record/package.json");
const PYTHON: &str = include_str!("../../../connectors/tests/recordings/record/requirements.txt");
const CODES: [&str; 4] = [
    include_str!("../../src/framing.rs"),
    include_str!("../../src/refused.rs"),
    include_str!("../../../connectors/src/call.rs"),
    include_str!("../../../policy/src/question.rs"),
];

/// Everything that a `fn code` of these files can give.
fn codes() -> Vec<&'static str> {
    let bodies = CODES.iter().filter_map(|file| file.split("fn code(&self)").nth(1));
    let lines = bodies.flat_map(|body| body.split("\n    }").next().unwrap_or_default().lines());
    lines.filter_map(|line| line.split("=> \"").nth(1)?.split('"').next()).collect()
}

#[test]
fn every_code_has_its_line_in_the_document() {
    let codes = codes();
    assert!(codes.len() > 50, "{codes:?}");
    for code in codes {
        let row = |line: &&str| line.starts_with("| `") && line.contains(&format!("`{code}`"));
        assert!(DOCUMENT.lines().any(|line| row(&line)), "`{code}` is not in docs/integrate.md");
    }
}

#[test]
fn the_document_names_the_versions_that_are_tested() {
    let document = DOCUMENT.split_whitespace().collect::<Vec<_>>().join(" ");
    let node: serde_json::Value = serde_json::from_str(NODE).expect("a manifest");
    for (name, version) in node["dependencies"].as_object().expect("dependencies") {
        let said = format!("`{name}` {}", version.as_str().expect("a version"));
        assert!(document.contains(&said), "{said}");
    }
    for line in PYTHON.lines() {
        let (name, version) = line.split_once("==").expect("an exact version");
        assert!(document.contains(&format!("`{name}` {version}")), "{line}");
    }
}
