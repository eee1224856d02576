//! Times of many hands.

use super::*;

fn instant(text: &str) -> Seen {
    Seen::Time(Stamp::Instant(text.parse().expect("an instant")))
}

fn local(text: &str) -> Seen {
    Seen::Time(Stamp::Local(text.parse().expect("a local time")))
}

#[test]
fn what_means_one_thing_is_read() {
    for text in [
        "2024-03-05T10:01:10+01:00",
        "2024-03-05 10:01:10 +0100",
        "2024-03-05 10:01:10+01",
        "2024-03-05 09:01:10 UTC",
        "2024-03-05 09:01:10Z",
        "2024-03-05 09:01:10 GMT",
        "2024-3-5 9:01:10 Z",
        "Tue, 05 Mar 2024 10:01:10 +0100",
        "20240305T090110Z",
        "2024-03-05T10:01:10+01:00[Europe/Berlin]",
        "1709629270",
        "1709629270000",
        "1709629270000000",
        "1709629270.0",
    ] {
        assert_eq!(see(text), instant("2024-03-05T09:01:10Z"), "{text}");
    }
    for text in [
        "2024-03-05 10:01:10",
        "2024-03-05T10:01:10.000",
        "2024/03/05 10:01:10",
        "2024.3.5 10:01:10",
        "2024-03-05 10:01:10 AM",
        "5 Mar 2024 10:01:10",
        "5-Mar-2024 10:01:10",
        "March 5, 2024 10:01:10 a.m.",
        "Mar 5th, 2024, 10:01:10",
    ] {
        assert_eq!(see(text), local("2024-03-05T10:01:10"), "{text}");
    }
    assert_eq!(see("2024-01-05"), local("2024-01-05T00:00:00"));
    assert_eq!(see("2024-01-05 8:26 PM"), local("2024-01-05T20:26:00"));
    assert_eq!(see("2024-01-05 12:26 am"), local("2024-01-05T00:26:00"));
}

#[test]
fn what_can_mean_two_things_is_told_apart() {
    assert!(matches!(see("12/1/2010 8:26"), Seen::Ordered { first: 12, second: 1, .. }));
    assert!(matches!(see("31.12.2024"), Seen::Ordered { first: 31, second: 12, .. }));
    assert_eq!(see("12/1/10 8:26"), Seen::ShortYear);
    assert_eq!(see("20241231"), Seen::Compact(20_241_231));
    assert_eq!(see("45657"), Seen::Serial(45_657.0));
    assert_eq!(see("45657.5"), Seen::Serial(45_657.5));
    for text in
        ["yesterday", "2024-13-01", "2024-02-30", "10:00", "2024", "1/2", "2024-01-05 25:00"]
    {
        assert!(matches!(see(text), Seen::Other | Seen::Serial(_)), "{text}: {:?}", see(text));
    }
}

#[test]
fn what_the_user_says_decides() {
    let read = |text: &str, format: &str, dates| {
        let formats: Vec<_> = [format]
            .iter()
            .filter(|f| !f.is_empty())
            .map(|f| TimeFormat::parse(f).expect("one"))
            .collect();
        parse(text, &formats, dates).map(Seen::Time)
    };
    assert_eq!(read("12/1/2010 8:26", "", Some(Dates::Dmy)), Ok(local("2010-01-12T08:26:00")));
    assert_eq!(read("12/1/2010 8:26", "", Some(Dates::Mdy)), Ok(local("2010-12-01T08:26:00")));
    assert_eq!(read("31/12/2024", "%d/%m/%Y", None), Ok(local("2024-12-31T00:00:00")));
    assert_eq!(read("12/1/10 8:26", "%m/%d/%y %H:%M", None), Ok(local("2010-12-01T08:26:00")));
    assert_eq!(read("20241231", "%Y%m%d", None), Ok(local("2024-12-31T00:00:00")));
    assert_eq!(read("20241231", "", Some(Dates::Ymd)), Ok(local("2024-12-31T00:00:00")));
    assert_eq!(read("45657", "excel", None), Ok(local("2024-12-31T00:00:00")));
    assert_eq!(read("45657.5", "excel", None), Ok(local("2024-12-31T12:00:00")));
    assert_eq!(read("44195", "excel-1904", None), Ok(local("2024-12-31T00:00:00")));
    assert_eq!(read("20241231", "epoch", None), Ok(instant("1970-08-23T06:33:51Z")));
    // What means one thing needs no format.
    assert_eq!(read("2024-12-31", "excel", None), Ok(local("2024-12-31T00:00:00")));
    for (text, help) in [
        ("03/04/2024", "--dates dmy"),
        ("3/4/24", "--time-format"),
        ("20240403", "--time-format %Y%m%d"),
        ("45657", "--time-format excel"),
        ("soon", "--time-format"),
    ] {
        let reason = read(text, "", None).expect_err(text);
        assert!(reason.contains(help) && reason.contains(text), "{reason}");
    }
    assert!(read("31/12/2024", "", Some(Dates::Mdy)).is_err());
    assert!(TimeFormat::parse("dd/mm/yyyy").is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_reading_panic(text in "\\PC*", dated in "[0-9]{1,10}[-/. ][0-9]{1,3}[-/. ][0-9]{1,12}[T ]?[0-9:.+-]{0,14}[APMZ ]{0,3}") {
        for text in [text, dated] {
            let _ = see(&text);
            let _ = parse(&text, &[TimeFormat::Epoch(1_000)], Some(Dates::Dmy));
            let _ = parse(&text, &[TimeFormat::Pattern("%d/%m/%Y".into())], None);
        }
    }
}
