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
            Value::String(Text {
                raw: "x",
                escaped: false
            }),
            Value::Array(r#"[1,{"c":null}]"#),
            Value::Number("-1.5e3"),
            Value::True,
            Value::Object("{}"),
        ]
    );
}

#[test]
fn escapes_are_resolved() {
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
fn one_name_twice_is_a_duplicate_however_it_is_spelled() {
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
fn a_special_byte_is_found_wherever_it_stands() {
    for len in 0..40 {
        let plain = vec![b'a'; len];
        assert_eq!(plain_prefix(&plain), len);
        for at in 0..len {
            for special in [b'"', b'\\', 0x00, 0x1f] {
                // What follows, special or not, does not matter.
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
fn what_is_not_one_json_object_is_refused() {
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
fn elements_of_an_array() {
    let texts: Vec<_> = elements(r#"[ "a" , 1,[2], "b"]"#).collect();
    assert_eq!(texts.len(), 4);
    assert_eq!(texts[2], Value::Array("[2]"));
    assert_eq!(elements("[]").count(), 0);
    assert_eq!(elements("[ ]").count(), 0);
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Eighths: serde_json reads others back with a rounding of its own.
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

proptest! {
    #[test]
    fn what_serde_json_writes_is_read_with_the_same_members(
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
    fn what_is_read_is_read_by_serde_json_too(
        document in r#"\{("[ab\\u0-9]{0,6}" ?: ?([-0-9.eE]{1,6}|"[a\\n/u0d8]{0,8}"|\[[1,\]\[]{0,4}\]|true|null),?){0,3}\}"#,
    ) {
        if read_object(&document, |_, _| ()).is_ok() {
            let theirs: std::result::Result<serde_json::Value, _> =
                serde_json::from_str(&document);
            prop_assert!(theirs.is_ok(), "{}", document);
        }
    }
}
