//! From the marked-up prose of a template to parts, and from parts to plain text.
//!
//! The mark-up is four shapes: `[part] Heading` opens a part; a blank line parts blocks; `- ` and
//! `+ ` begin entries and steps; `> ` sets the code apart. HTML is laid out by
//! `templates/letter.html`.

use crate::notice::{Block, Part, Section};

/// Lines of plain text are at most this long, so that a quoting reply stays below 78.
const COLUMNS: usize = 72;

/// Prose that does not have the shape of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misshapen {
    /// Text stands before the first `[part]`.
    NoPart,
    /// A line opens a part that there is none of.
    UnknownPart,
    /// A part stands twice.
    Repeated(Part),
}

/// Reads rendered prose; parts stand in the order in which they were written.
pub fn sections(prose: &str) -> Result<Vec<Section>, Misshapen> {
    let mut sections: Vec<Section> = Vec::new();
    let mut open = false;
    for line in prose.lines().map(str::trim) {
        if let Some((name, heading)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        {
            let part = Part::parse(name).ok_or(Misshapen::UnknownPart)?;
            if sections.iter().any(|section| section.part == part) {
                return Err(Misshapen::Repeated(part));
            }
            let heading = heading.trim().to_owned();
            sections.push(Section { part, heading, blocks: Vec::new() });
            open = false;
        } else if line.is_empty() {
            open = false;
        } else {
            let section = sections.last_mut().ok_or(Misshapen::NoPart)?;
            add_line(&mut section.blocks, line, open);
            open = true;
        }
    }
    sections.retain(|section| !section.blocks.is_empty());
    Ok(sections)
}

/// Adds a line to the last block if that is still open, or begins a new one.
fn add_line(blocks: &mut Vec<Block>, line: &str, open: bool) {
    if let Some(entry) = line.strip_prefix("- ") {
        match blocks.last_mut() {
            Some(Block::List(entries)) => entries.push(squeeze(entry)),
            _ => blocks.push(Block::List(vec![squeeze(entry)])),
        }
    } else if let Some(entry) = line.strip_prefix("+ ") {
        match blocks.last_mut() {
            Some(Block::Steps(entries)) => entries.push(squeeze(entry)),
            _ => blocks.push(Block::Steps(vec![squeeze(entry)])),
        }
    } else if let Some(code) = line.strip_prefix("> ") {
        blocks.push(Block::Code(squeeze(code)));
    } else {
        let text = match blocks.last_mut() {
            Some(Block::Paragraph(text)) if open => Some(text),
            Some(Block::List(entries) | Block::Steps(entries)) if open => entries.last_mut(),
            _ => None,
        };
        match text {
            Some(text) => {
                text.push(' ');
                text.push_str(&squeeze(line));
            }
            None => blocks.push(Block::Paragraph(squeeze(line))),
        }
    }
}

/// On one line, with single spaces.
pub fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lays the parts out as plain text.
pub fn text(sections: &[Section]) -> String {
    let mut out = String::new();
    for section in sections {
        if !section.heading.is_empty() {
            let rule = "-".repeat(section.heading.chars().count().min(COLUMNS));
            out.push_str(&wrapped(&section.heading, "", ""));
            out.push_str(&format!("{rule}\n\n"));
        }
        for block in &section.blocks {
            match block {
                Block::Paragraph(text) => out.push_str(&wrapped(text, "", "")),
                Block::List(entries) => {
                    out.extend(entries.iter().map(|entry| wrapped(entry, "- ", "  ")));
                }
                Block::Steps(entries) => out.extend(
                    (1..).zip(entries).map(|(n, entry)| wrapped(entry, &format!("{n}. "), "   ")),
                ),
                Block::Code(code) => out.push_str(&format!("    {code}\n")),
            }
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Breaks text between words; a word that is longer than a line stays whole, for the lint to find.
fn wrapped(text: &str, first: &str, rest: &str) -> String {
    let mut out = String::from(first);
    let mut column = first.chars().count();
    let mut fresh = true;
    for word in text.split(' ') {
        let width = word.chars().count();
        if !fresh && column + 1 + width > COLUMNS {
            out.push('\n');
            out.push_str(rest);
            column = rest.chars().count();
        } else if !fresh {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
        fresh = false;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_read_into_parts_and_blocks() {
        let prose = "[opening]\nHello\nyou,\n\n\nsecond.\n\n[exposed] Which data\nThese:\n- one\n  \
                     goes on\n- two\n\n+ go\n+ come\n\n> ABCD\nafter\n[ask] Nobody\n";
        let sections = sections(prose).expect("well shaped");
        assert_eq!(sections.len(), 2, "a part that says nothing is left out");
        let paragraph = |text: &str| Block::Paragraph(text.to_owned());
        assert_eq!(sections[0].blocks, [paragraph("Hello you,"), paragraph("second.")]);
        assert_eq!(sections[1].heading, "Which data");
        assert_eq!(
            sections[1].blocks,
            [
                paragraph("These:"),
                Block::List(vec!["one goes on".into(), "two".into()]),
                Block::Steps(vec!["go".into(), "come".into()]),
                Block::Code("ABCD".into()),
                paragraph("after"),
            ]
        );
    }

    #[test]
    fn prose_of_another_shape_is_refused() {
        assert_eq!(sections("Hello"), Err(Misshapen::NoPart));
        assert_eq!(sections("[hello] x\ny"), Err(Misshapen::UnknownPart));
        assert_eq!(sections("[ask] x\ny\n[ask] x"), Err(Misshapen::Repeated(Part::Ask)));
    }

    #[test]
    fn lines_are_broken_between_words_and_entries_are_indented() {
        let entry = "word ".repeat(20);
        let section = Section {
            part: Part::Exposed,
            heading: "Größe".into(),
            blocks: vec![Block::List(vec![entry.trim().into()])],
        };
        let text = text(&[section]);
        assert!(text.starts_with("Größe\n-----\n\n- word"));
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
        assert!(text.contains("\n  word"), "the second line of an entry is indented");
        assert!(text.ends_with("word\n") && !text.contains(" \n"));
    }
}
