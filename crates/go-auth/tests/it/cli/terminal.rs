//! Colours, marks and width: what a terminal's user expects.

use go_auth::Output;

use super::{GoAuth, file, go_auth, path};
use test_support::forge::{AUDIENCE, ISSUER, KID, NOW, document, good, mint};
use test_support::refused_tokens;

fn offline(keys: &str) -> GoAuth {
    go_auth(&["verify", "--keys", keys, "--at"])
        .arg(NOW.to_string())
        .var("GO_AUTH_ISSUER", ISSUER)
        .var("GO_AUTH_AUDIENCE", AUDIENCE)
}

/// What a terminal of this width would be sent.
fn on_terminal(command: GoAuth, columns: usize) -> String {
    let ran = command.run_with(|to| Output {
        to,
        colour: true,
        width: Some(columns),
    });
    ran.all()
}

fn has_colour(text: &str) -> bool {
    text.contains('\u{1b}')
}

#[tokio::test]
async fn colours_are_there_where_they_are_wanted() {
    let keys = file(document(&[good().jwk(KID)]));
    let command = || offline(path(&keys)).stdin(mint().token());
    for (flag, on_a_terminal, elsewhere) in [
        ("--color=auto", true, false),
        ("--color=always", true, true),
        ("--color=never", false, false),
    ] {
        let text = on_terminal(command().arg(flag), 80);
        assert_eq!(has_colour(&text), on_a_terminal, "{flag}: {text}");
        let ran = command().arg(flag).run_here();
        assert_eq!(has_colour(&ran.stdout), elsewhere, "{flag}");
    }
    // JSON is for machines, and has none.
    let json = on_terminal(command().arg("--json").arg("--color=always"), 80);
    assert!(!has_colour(&json), "{json}");
    for (faulty, colour) in [
        (go_auth(&["--color", "never", "verify", "--oops"]), false),
        (go_auth(&["verify", "--oops"]), true),
        (go_auth(&["verify", "a word too many"]), true),
        (go_auth(&["verify", "--at=soon"]), true),
    ] {
        assert_eq!(has_colour(&on_terminal(faulty, 80)), colour);
    }
    // Of the real process, which is asked by variables.
    for (variables, colour) in [
        (&[][..], false),
        (&["CLICOLOR_FORCE"], true),
        (&["CLICOLOR_FORCE", "NO_COLOR"], false),
    ] {
        let command = variables
            .iter()
            .fold(command(), |it, name| it.var(name, "1"));
        assert_eq!(
            has_colour(&command.run().await.stdout),
            colour,
            "{variables:?}"
        );
    }
}

#[test]
fn without_its_colours_the_text_is_the_same() {
    let keys = file(document(&[good().jwk(KID)]));
    for (_, token) in refused_tokens(&mint()) {
        let plain = offline(path(&keys)).stdin(&*token).run_here().stdout;
        let coloured = offline(path(&keys)).arg("--color=always").stdin(token);
        let mut text = String::new();
        for (at, part) in coloured.run_here().stdout.split("\u{1b}[").enumerate() {
            let part = if at == 0 {
                part
            } else {
                part.split_once('m').expect("a style").1
            };
            text.push_str(part);
        }
        assert_eq!(text, plain);
    }
}

#[test]
fn marks_are_signs_in_utf8_and_words_otherwise() {
    let keys = file(document(&[good().jwk(KID)]));
    let token = mint().expires_in(-31).token();
    let in_utf8 = offline(path(&keys))
        .var("LANG", "en_GB.UTF-8")
        .stdin(&*token);
    let text = in_utf8.run_here().stdout;
    assert!(text.starts_with("✗ rejected"), "{text}");
    assert!(
        text.contains("\n✓  alg") && text.contains("\n✗  exp"),
        "{text}"
    );
    let text = offline(path(&keys)).stdin(token).run_here().stdout;
    assert!(text.is_ascii(), "{text}");
    assert!(
        text.contains("\nok    alg") && text.contains("\nFAIL  exp"),
        "{text}"
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let keys = file(document(&[good().jwk(KID)]));
    let mut tokens = refused_tokens(&mint());
    tokens.push(("ok", mint().token()));
    tokens.push((
        "audience",
        mint().audiences([&*"x".repeat(300), "b"]).token(),
    ));
    for columns in [40, 60, 80, 120, 160] {
        for (kind, token) in &tokens {
            let command = offline(path(&keys)).arg("--color=never");
            let command = command.var("LANG", "C.UTF-8").stdin(&**token);
            let text = on_terminal(command, columns);
            for line in text.lines() {
                assert!(
                    line.chars().count() <= columns,
                    "{kind} at {columns}: {line}"
                );
                assert!(!line.ends_with(' '), "{kind} at {columns}: {line:?}");
            }
        }
    }
}
