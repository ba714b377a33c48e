//! `DigestInfo` as a tree, each node of which can be spoilt in every way that a parser may overlook.

/// The SEQUENCE tag; with its bit of a constructed encoding.
const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const CONSTRUCTED: u8 = 0x20;

const NULL: [u8; 2] = [0x05, 0x00];
const END_OF_CONTENTS: [u8; 2] = [0x00, 0x00];

/// Tags and lengths of nothing known, the last of which reaches past whatever follows.
const GARBAGE: [u8; 5] = [0x49, 0x81, 0x77, 0x25, 0x00];
/// Three elements, well formed, of tags that mean nothing.
const UNDEFINED: [u8; 6] = [0xaa, 0x00, 0xbb, 0x00, 0xcd, 0x00];

/// What is done to a node, and the bytes that stand in its place.
pub(super) type Spoilt = (&'static str, Vec<u8>);

/// A node of the tree.
pub(super) struct Node {
    pub(super) name: &'static str,
    tag: u8,
    content: Content,
}

enum Content {
    Bytes(Vec<u8>),
    Nodes(Vec<Node>),
}

/// RFC 8017, appendix A.2.4. `oid` is the whole element, `digest` the bytes alone.
pub(super) fn digest_info(oid: &[u8], digest: &[u8]) -> Node {
    let bytes = |name, tag, bytes: &[u8]| Node {
        name,
        tag,
        content: Content::Bytes(bytes.to_vec()),
    };
    let sequence = |name, nodes| Node {
        name,
        tag: SEQUENCE,
        content: Content::Nodes(nodes),
    };
    let algorithm = sequence(
        "AlgorithmIdentifier",
        vec![
            bytes("OBJECT IDENTIFIER", oid[0], &oid[2..]),
            bytes("NULL", NULL[0], &[]),
        ],
    );
    let digest = bytes("OCTET STRING", OCTET_STRING, digest);
    sequence("DigestInfo", vec![algorithm, digest])
}

/// An element of fewer than 128 bytes.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("a short element");
    assert!(length < 0x80, "a short element");
    [&[tag, length], content].concat()
}

impl Node {
    pub(super) fn der(&self) -> Vec<u8> {
        self.der_with("", &[])
    }

    /// The tree with `in_place` where the node of this name is, and lengths around it that fit.
    pub(super) fn der_with(&self, name: &str, in_place: &[u8]) -> Vec<u8> {
        if self.name == name {
            return in_place.to_vec();
        }
        element(self.tag, &self.content_with(name, in_place))
    }

    fn content_with(&self, name: &str, in_place: &[u8]) -> Vec<u8> {
        match &self.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Nodes(nodes) => nodes
                .iter()
                .flat_map(|node| node.der_with(name, in_place))
                .collect(),
        }
    }

    fn content(&self) -> Vec<u8> {
        self.content_with("", &[])
    }

    /// This node and all below it, as they stand in the encoding.
    pub(super) fn all(&self) -> Vec<&Self> {
        let below: Vec<&Self> = match &self.content {
            Content::Bytes(_) => Vec::new(),
            Content::Nodes(nodes) => nodes.iter().flat_map(Self::all).collect(),
        };
        [&[self], &below[..]].concat()
    }

    /// This node in every spoilt form, some of which may be alike or no change at all.
    pub(super) fn spoilt(&self) -> Vec<Spoilt> {
        [
            self.with_other_lengths(),
            self.with_indefinite_lengths(),
            self.with_other_tags(),
            self.with_other_content(),
            self.with_other_children(),
            self.in_other_company(),
        ]
        .concat()
    }

    /// X.690, sections 8.1.3 and 10.1: DER has one length, the shortest.
    fn with_other_lengths(&self) -> Vec<Spoilt> {
        let content = self.content();
        let n = u8::try_from(content.len()).expect("a short element");
        let lengths: [(&str, &[u8]); 15] = [
            ("in long form", &[0x81, n]),
            ("in long form with a leading zero", &[0x82, 0, n]),
            ("one too many", &[n + 1]),
            ("one too few", &[n.wrapping_sub(1)]),
            ("wrapping in 32 bits", &[0x85, 1, 0, 0, 0, n]),
            ("wrapping in 64 bits", &[0x89, 1, 0, 0, 0, 0, 0, 0, 0, n]),
            ("2^31 - 1", &[0x84, 0x7f, 0xff, 0xff, 0xff]),
            ("2^31", &[0x84, 0x80, 0, 0, 0]),
            ("2^32 - 1", &[0x84, 0xff, 0xff, 0xff, 0xff]),
            ("2^40 - 1", &[0x85, 0xff, 0xff, 0xff, 0xff, 0xff]),
            (
                "2^64 - 1",
                &[0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            ),
            ("of the reserved form", &[0xff]),
            ("cut off", &[0x81]),
            ("left out", &[]),
            ("indefinite without an end", &[0x80]),
        ];
        let mut spoilt: Vec<Spoilt> = lengths
            .into_iter()
            .map(|(given, length)| (given, [&[self.tag], length, &content].concat()))
            .collect();
        spoilt.push(("nothing but a tag", vec![self.tag]));
        spoilt.push(("nothing but a cut-off length", vec![self.tag, 0x81]));
        spoilt
    }

    /// X.690, section 8.1.3.6: BER alone knows them.
    fn with_indefinite_lengths(&self) -> Vec<Spoilt> {
        let content = self.content();
        let shorter = &content[..content.len().saturating_sub(1)];
        let indefinite =
            |content: &[u8], end: &[u8]| [&[self.tag, 0x80][..], content, end].concat();
        vec![
            ("indefinite", indefinite(&content, &END_OF_CONTENTS)),
            ("indefinite with half an end", indefinite(&content, &[0])),
            (
                "indefinite with a full end",
                indefinite(&content, &[0, 1, 0]),
            ),
            (
                "indefinite with a NULL more",
                indefinite(&[&content[..], &NULL].concat(), &END_OF_CONTENTS),
            ),
            (
                "indefinite and cut short",
                indefinite(shorter, &END_OF_CONTENTS),
            ),
            (
                "indefinite with garbage",
                indefinite(&[&content[..], &GARBAGE].concat(), &END_OF_CONTENTS),
            ),
            (
                "composed with an indefinite length",
                [
                    &[self.tag | CONSTRUCTED, 0x80][..],
                    &self.der(),
                    &END_OF_CONTENTS,
                ]
                .concat(),
            ),
        ]
    }

    fn with_other_tags(&self) -> Vec<Spoilt> {
        let content = self.content();
        let high = [self.tag & 0xe0 | 0x1f, self.tag & 0x1f];
        let mut spoilt: Vec<Spoilt> = [
            ("the other kind of encoding", self.tag ^ CONSTRUCTED),
            ("another class", self.tag ^ 0x40),
            ("a context's class", self.tag ^ 0x80),
            ("the tag beside it", self.tag ^ 0x01),
            ("the tag 0", 0x00),
            ("the tag 255", 0xff),
        ]
        .into_iter()
        .map(|(given, tag)| (given, element(tag, &content)))
        .collect();
        spoilt.push((
            "its tag as a high number",
            [&high[..1], &element(high[1], &content)].concat(),
        ));
        spoilt
    }

    /// Other bytes inside, and a length that fits them.
    fn with_other_content(&self) -> Vec<Spoilt> {
        let content = self.content();
        let (first, last) = content.split_at(content.len() / 2);
        let of = |parts: &[&[u8]]| element(self.tag, &parts.concat());
        let composed = |tag: u8| {
            let parts = [element(tag, first), element(tag, last)].concat();
            element(self.tag | CONSTRUCTED, &parts)
        };
        let mut spoilt = vec![
            ("zeros at its end", of(&[&content, &[0, 0]])),
            ("zeros at its start", of(&[&[0, 0], &content])),
            ("a NULL at its end", of(&[&content, &NULL])),
            ("a NULL at its start", of(&[&NULL, &content])),
            ("garbage at its end", of(&[&content, &GARBAGE])),
            ("garbage at its start", of(&[&GARBAGE, &content])),
            ("undefined tags at its start", of(&[&UNDEFINED, &content])),
            ("nothing inside", of(&[])),
            ("itself inside", of(&[&self.der()])),
            ("composed of halves", composed(self.tag)),
            ("composed of halves of another tag", composed(0x0c)),
        ];
        if let ([front, after @ ..], [before @ .., back]) = (&content[..], &content[..]) {
            spoilt.extend([
                ("the first byte left out", of(&[after])),
                ("the last byte left out", of(&[before])),
                ("another first byte", of(&[&[front ^ 1], after])),
                ("another last byte", of(&[before, &[back ^ 1]])),
            ]);
        }
        spoilt
    }

    fn with_other_children(&self) -> Vec<Spoilt> {
        let Content::Nodes(nodes) = &self.content else {
            return Vec::new();
        };
        let [first, .., last] = &nodes[..] else {
            return Vec::new();
        };
        let (first, last) = (first.der(), last.der());
        let of = |children: &[&[u8]]| element(self.tag, &children.concat());
        vec![
            ("its elements swapped", of(&[&last, &first])),
            ("its first element twice", of(&[&first, &first, &last])),
            ("its last element twice", of(&[&first, &last, &last])),
            ("its elements twice", of(&[&first, &last, &first, &last])),
            ("a NULL between its elements", of(&[&first, &NULL, &last])),
        ]
    }

    /// Nothing, something else, or more than the node in its place.
    fn in_other_company(&self) -> Vec<Spoilt> {
        let der = self.der();
        let of = |parts: &[&[u8]]| parts.concat();
        vec![
            ("nothing in its place", Vec::new()),
            ("a NULL in its place", NULL.to_vec()),
            ("its content without it", self.content()),
            ("twice", of(&[&der, &der])),
            ("in a sequence", element(SEQUENCE, &der)),
            ("in an explicit tag", element(0xa0, &der)),
            ("zeros before it", of(&[&[0, 0], &der])),
            ("zeros after it", of(&[&der, &[0, 0]])),
            ("a zero after it", of(&[&der, &[0]])),
            ("a NULL before it", of(&[&NULL, &der])),
            ("a NULL after it", of(&[&der, &NULL])),
            ("an explicit NULL after it", of(&[&der, &[0xa0, 2], &NULL])),
            ("an implicit NULL after it", of(&[&der, &[0x80, 0]])),
            ("an empty sequence before it", of(&[&[SEQUENCE, 0], &der])),
            ("an empty sequence after it", of(&[&der, &[SEQUENCE, 0]])),
            ("garbage before it", of(&[&GARBAGE, &der])),
            ("garbage after it", of(&[&der, &GARBAGE])),
            ("undefined tags before it", of(&[&UNDEFINED, &der])),
            ("undefined tags after it", of(&[&der, &UNDEFINED])),
            ("a high tag after it", of(&[&der, &[0xbf, 0x7f, 0x00]])),
        ]
    }
}
