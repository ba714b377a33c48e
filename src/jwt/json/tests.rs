use proptest::prelude::*;

use super::*;

fn read(document: &str) -> Result<Vec<(String, Value<'_>)>> {
    let mut members = Vec::new();
    read_object(document, |name, value| {
        members.push((name.to_owned(), value));
    })?;
    Ok(members)
}

#[test]
fn members_come_in_order_with_their_values() {
    let members = read(r#" { "a" : "x" , "b":[1,{"c":null}], "d":-1.5e3,"e":true,"f":{} } "#)
        .expect("an object");
    let values: Vec<_> = members.iter().map(|(_, value)| *value).collect();
    assert_eq!(
        values,
        [
            Value::String(Text::new("x", false)),
            Value::Array(r#"[1,{"c":null}]"#),
            Value::Number("-1.5e3"),
            Value::True,
            Value::Object("{}"),
        ]
    );
}

#[test]
fn escapes_in_strings_are_resolved() {
    let members = read(r#"{"\u0069ss":"https:\/\/id\/\ud83d\ude00\n\u00e9\"\\"}"#).unwrap();
    assert_eq!(members[0].0, "iss");
    let Value::String(text) = members[0].1 else {
        panic!("a string")
    };
    assert_eq!(text.decode(), "https://id/😀\né\"\\");
    assert!(text.is("https://id/😀\né\"\\"));
    assert_eq!(text.plain(), None);
}

#[test]
fn one_name_twice_is_a_duplicate_in_any_spelling() {
    for document in [
        r#"{"alg":1,"alg":1}"#,
        r#"{"alg":1,"\u0061lg":2}"#,
        r#"{"\u0061lg":1,"x":0,"a\u006cg":2}"#,
    ] {
        assert_eq!(read(document), Err(JsonError::Duplicate), "{document}");
    }
}

#[test]
fn duplicates_are_found_past_the_inline_names() {
    let mut document: String = (0..40).map(|n| format!(r#""m{n}":{n},"#)).collect();
    document.insert(0, '{');
    assert_eq!(
        read(&format!(r#"{document}"m39":0}}"#)),
        Err(JsonError::Duplicate)
    );
    assert_eq!(
        read(&format!(r#"{document}"m0":0}}"#)),
        Err(JsonError::Duplicate)
    );
    assert_eq!(
        read(&format!(r#"{document}"m40":0}}"#)).map(|m| m.len()),
        Ok(41)
    );
}

#[test]
fn a_special_byte_is_found_in_any_place() {
    for len in (0..40).chain(LONG..LONG + 40) {
        let plain = vec![b'a'; len];
        assert_eq!(plain_prefix(&plain), len);
        for at in (0..len).filter(|at| len < LONG || at % 61 < 2 || len - at < 9) {
            for special in [b'"', b'\\', 0x00, 0x1f] {
                // The bytes that follow, special or not, do not matter.
                for after in [b'a', b'"', 0x80, 0xff] {
                    let mut bytes = plain.clone();
                    bytes[at..].fill(after);
                    bytes[at] = special;
                    assert_eq!(plain_prefix(&bytes), at, "{bytes:?}");
                }
            }
            for other in [0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                let mut bytes = plain.clone();
                bytes[at] = other;
                assert_eq!(plain_prefix(&bytes), len, "{bytes:?}");
            }
        }
    }
}

#[test]
fn width_and_depth_are_bounded() {
    let wide = |n: usize| {
        let members: Vec<_> = (0..n).map(|n| format!(r#""m{n}":0"#)).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(read(&wide(MAX_MEMBERS)).is_ok());
    assert_eq!(read(&wide(MAX_MEMBERS + 1)), Err(JsonError::Excess));

    let deep = |n: u32| {
        let n = n as usize;
        format!(r#"{{"a":{}{}}}"#, "[".repeat(n), "]".repeat(n))
    };
    assert!(read(&deep(MAX_DEPTH)).is_ok());
    assert_eq!(read(&deep(MAX_DEPTH + 1)), Err(JsonError::Excess));
}

#[test]
fn only_one_json_object_is_accepted() {
    for document in [
        "",
        " ",
        "null",
        "[]",
        r#""a""#,
        "1",
        "{",
        "}",
        "{]",
        "{}}",
        "{} x",
        "{},",
        "\u{feff}{}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a":1 "b":2}"#,
        "{a:1}",
        "{'a':1}",
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":.5}"#,
        r#"{"a":1.}"#,
        r#"{"a":1e}"#,
        r#"{"a":-}"#,
        r#"{"a":NaN}"#,
        r#"{"a":Infinity}"#,
        r#"{"a":1e999}"#,
        r#"{"a":0x1}"#,
        r#"{"a":tru}"#,
        r#"{"a":nulL}"#,
        r#"{"a":"b}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":"\u12g4"}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\ud800\u0041"}"#,
        r#"{"a":"\udc00"}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[1 2]}"#,
        r#"{"a":[}}"#,
        r#"{"a":{"b"}}"#,
        r#"{"a":{"b":1,}}"#,
        r#"{"a":{1:2}}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":\"\u{0}\"}",
        "{\u{a0}}",
        "{/**/}",
    ] {
        assert_eq!(read(document), Err(JsonError::Syntax), "{document:?}");
    }
}

#[test]
fn an_array_of_strings_is_recognised() {
    for (array, expected) in [
        ("[]", Some("")),
        ("[ \t]", Some("")),
        (r#"["a"]"#, Some("a;")),
        ("[\n\"a\" ,\"\" , \"\\u0062]\" ]", Some("a;;b];")),
        ("[1]", None),
        (r#"["a",null]"#, None),
        ("[[]]", None),
        (r#"[["a"]]"#, None),
        (r#"["a",["b"],"c"]"#, None),
        (r#"["a",{"b":"c"}]"#, None),
        (r#"{"a":"b"}"#, None),
    ] {
        let document = format!(r#"{{"x":{array}}}"#);
        let strings = match read(&document).expect("an object")[0].1 {
            Value::Strings(strings) => Some(
                strings
                    .into_iter()
                    .map(|text| text.decode() + ";")
                    .collect(),
            ),
            _ => None::<String>,
        };
        assert_eq!(strings.as_deref(), expected, "{array}");
    }
}

#[test]
fn a_number_above_the_largest_double_is_rejected() {
    for (number, accepted) in [
        ("1e307", true),
        ("9.99e307", true),
        ("1e308", true),
        ("1.7976931348623157e308", true),
        ("-1.7976931348623157E+308", true),
        ("17976931348623157e292", true),
        ("0.00017976931348623157e312", true),
        ("1.7976931348623158e308", false),
        ("-1.7976931348623158e308", false),
        ("1.8e308", false),
        ("1e309", false),
        ("0.001e312", false),
        ("0.0001e312", true),
        ("1e99999999999999999999", false),
        ("-1e99999999999999999999", false),
        ("1e-99999999999999999999", true),
        ("0e99999999999999999999", true),
        ("0.000e400", true),
        ("1e0000000000000000000000001", true),
    ] {
        let document = format!(r#"{{"a":{number}}}"#);
        assert_eq!(read(&document).is_ok(), accepted, "{number}");
        let theirs: serde_json::Result<serde_json::Value> = serde_json::from_str(&document);
        assert!(!accepted || theirs.is_ok(), "{number}");
    }
    let digits = |count| format!(r#"{{"a":{}}}"#, "9".repeat(count));
    assert!(read(&digits(308)).is_ok());
    assert!(read(&digits(309)).is_err());
}

#[test]
fn a_magnitude_is_the_first_digits_power_of_ten() {
    for (number, expected) in [
        ("7", Some(0)),
        ("-700.5", Some(2)),
        ("7e2", Some(2)),
        ("0.7", Some(-1)),
        ("0.0070e-1", Some(-4)),
        ("0.0070E+4", Some(1)),
        ("-0", None),
        ("0.00e5", None),
        ("1e99999999999999999999", Some(i64::MAX)),
        ("1e-99999999999999999999", Some(i64::MIN)),
        ("10e-99999999999999999999", Some(i64::MIN + 1)),
    ] {
        assert_eq!(magnitude(number), expected, "{number}");
    }
}

#[test]
fn a_text_is_compared_by_its_decoded_value() {
    let text = |spelled| Text::new(spelled, true);
    // In code-point order; characters of surrogate pairs are the greatest.
    let ordered = [
        (r"", ""),
        (r"\u0041", "A"),
        (r"\u0041\u0042", "AB"),
        (r"\u0061", "a"),
        (r"\u00e9", "é"),
        (r"\uff5e", "\u{ff5e}"),
        (r"\ud83d\ude00", "😀"),
    ];
    for (at, (spelled, says)) in ordered.iter().enumerate() {
        assert_eq!(text(spelled).decode(), *says);
        for (other_at, (_, other)) in ordered.iter().enumerate() {
            assert_eq!(
                text(spelled).compare(other),
                at.cmp(&other_at),
                "{says} {other}"
            );
            assert_eq!(Text::new(says, false).compare(other), at.cmp(&other_at));
            assert_eq!(text(spelled).is(other), at == other_at, "{says} {other}");
        }
    }
    for (spelled, other, same) in [
        (r"\u0041B\u0063", "abc", true),
        (r"\u0041B\u0063", "ABCD", false),
        (r"\u0041B\u0063", "AB", false),
        (r"\u00c9", "é", false),
    ] {
        assert_eq!(
            text(spelled).is_ignoring_case(other),
            same,
            "{spelled} {other}"
        );
    }
    assert!(Text::new("aBc", false).is_ignoring_case("AbC"));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Eighths: `serde_json` rounds others when it reads them back.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// A number in JSON's form, sometimes with far more digits than a double has.
fn number() -> impl Strategy<Value = String> {
    let digits = || "(0|[1-9][0-9]{0,3}|[1-9][0-9]{300,320})";
    let fraction = "(\\.[0-9]{1,6}|\\.0{300,320}[0-9]{1,6}|)";
    let exponent = "([eE][-+]?[0-9]{1,4}|e[-+]?30[0-9]|)";
    (digits(), fraction, exponent)
        .prop_map(|(digits, fraction, exponent)| digits + &fraction + &exponent)
}

proptest! {
    #[test]
    fn a_number_is_accepted_if_it_is_finite(number in number(), negative: bool) {
        let number = if negative { format!("-{number}") } else { number };
        let finite = number.parse::<f64>().expect("a number").is_finite();
        let document = format!(r#"{{"a":{number}}}"#);
        prop_assert_eq!(read(&document).is_ok(), finite, "{}", number);
        if finite {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&document).is_ok());
        }
    }

    #[test]
    fn what_serde_json_writes_is_read_the_same(
        members in proptest::collection::btree_map(any::<String>(), json(), 0..8),
    ) {
        let document = serde_json::to_string(&members).expect("JSON");
        let mut seen = 0;
        read_object(&document, |name, value| {
            let expected = &members[name];
            let text = match value {
                Value::String(text) => {
                    assert_eq!(expected, &*text.decode());
                    seen += 1;
                    return;
                }
                Value::Strings(strings) => {
                    let strings: Vec<_> = strings.into_iter().map(Text::decode).collect();
                    assert_eq!(*expected, serde_json::json!(strings));
                    seen += 1;
                    return;
                }
                Value::Number(text) | Value::Array(text) | Value::Object(text) => text,
                Value::True => "true",
                Value::False => "false",
                Value::Null => "null",
            };
            assert_eq!(expected, &serde_json::from_str::<serde_json::Value>(text).unwrap());
            seen += 1;
        }).expect("what serde_json writes");
        prop_assert_eq!(seen, members.len());
    }

    #[test]
    fn serde_json_reads_whatever_this_reader_accepts(
        document in r#"\{("[ab\\u0-9]{0,6}" ?: ?([-0-9.eE]{1,6}|"[a\\n/u0d8]{0,8}"|\[[1,\]\[]{0,4}\]|true|null),?){0,3}\}"#,
    ) {
        if read_object(&document, |_, _| ()).is_ok() {
            let theirs: std::result::Result<serde_json::Value, _> =
                serde_json::from_str(&document);
            prop_assert!(theirs.is_ok(), "{}", document);
        }
    }
}
