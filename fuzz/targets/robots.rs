//! robots.txt: read in the time of its length, alike with any line ends; what is forbidden is what a plain matching forbids.
#![no_main]

use std::time::Duration;

use fedilake_collect::server::robots::Rules;
use fedilake_fuzz::seed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed(seeds), |input: &[u8]| {
    let rules = Rules::parse(input);
    assert!(rules.crawl_delay.is_none_or(|delay| delay <= Duration::from_secs(86_400)));
    let lines: Vec<&[u8]> = input.split(|byte| matches!(byte, b'\n' | b'\r')).collect();
    for end in [&b"\r\n"[..], b"\r", b"\n\n"] {
        assert_eq!(Rules::parse(&lines.join(end)), rules);
    }
    for path in ["/", "/api/v1/timelines/public?limit=40", "/api/v1/streaming/public", "/robots.txt"] {
        let forbidden = rules.forbids(path);
        assert!(!rules.is_empty() || forbidden.is_none());
        // A path that holds the input itself, in any spelling.
        let _ = rules.forbids(&format!("{path}{}", String::from_utf8_lossy(input)));
    }
});

fn seeds() -> Vec<&'static str> {
    vec![
        "User-agent: *\nDisallow: /api/\nCrawl-delay: 500\n",
        "# c\nUser-agent: GPTBot\nDisallow: /\n\nUser-agent: *\nDisallow: /media_proxy/\nDisallow: /interact/\n",
        "\u{feff}user-agent: fedilake/1.0\r\nuser-agent: other\r\nallow: /api/v1/*public$\r\ndisallow: /*?limit=\r\n",
        "User-agent: *\nDisallow: /%61pi/%e4%BD\nAllow:\nDisallow:\nSitemap: https://a.example/s.xml\nDisallow: ***********a$",
    ]
}
