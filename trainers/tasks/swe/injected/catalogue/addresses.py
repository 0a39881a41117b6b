"""Functions on paths, URLs, and the addresses and headers of mail and the web."""

from trainers.tasks.swe.injected.catalogue.target import DAY, INT, WORD, Target, front
from trainers.tasks.swe.injected.values import (
    byte_texts,
    either,
    formed,
    integers,
    joined,
    lists,
    mappings,
    one_of,
    texts,
    tuples,
)

_PATH = joined("/", one_of("", ".", "..", "a", "b.txt", "lib", ".git", "x.tar.gz"), 0, 6)
_DOS = either(joined("\\", one_of("", ".", "..", "a", "b.txt", "C:", "c"), 0, 6), _PATH)
_DOS_FULL = formed("{}{}", one_of("C:", "c:\\", "\\\\host\\share\\", "", "\\"), _DOS)
_URL = formed(
    "{}{}{}{}{}",
    one_of("http:", "https:", "ftp:", "", "HTTP:", "mailto:"),
    one_of("//host", "//u:p@host.org:8080", "//[::1]:80", "", "//"),
    one_of("", "/", "/a/b;p", "/a/../b/./c", "x/y", "/a%20b"),
    one_of("", "?q=1&r=a+b", "?", "?a=%C3%A9;b", "?x"),
    one_of("", "#frag", "#", "#a?b"),
)
_QUERY = joined("&", formed("{}{}{}", WORD, one_of("=", "", "=="), texts("ab+%20é", 0, 4)), 0, 5)
_HEADER = formed("{}{}", WORD, joined("", formed("; {}={}", WORD, one_of("1", '"a b"', "x")), 0, 3))
_ADDRESS = formed(
    "{}{}@{}{}", one_of("", "Ann <", '"Lee, B." <', "(x) "), WORD, WORD, one_of("", ">")
)
_IPV4 = formed("{}.{}.{}.{}", *[one_of(0, 1, 10, 127, 192, 255)] * 4)
_NET = formed("{}/{}", one_of("10.0.0.0", "192.168.4.0", "0.0.0.0", "172.16.8.0"), integers(21, 32))
_IPV6 = one_of("::1", "fe80::1:2", "2001:db8::", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1", "1::8")

TARGETS: tuple[Target, ...] = (
    Target("posixpath", "normpath", (_PATH,)),
    Target("posixpath", "split", (_PATH,)),
    Target("posixpath", "splitext", (_PATH,)),
    Target("posixpath", "basename", (_PATH,)),
    Target("posixpath", "dirname", (_PATH,)),
    Target("posixpath", "join", (_PATH, _PATH, one_of("", "a", "/b", "c/"))),
    Target("posixpath", "commonpath", (lists(formed("/{}", _PATH), 1, 3),)),
    Target("ntpath", "normpath", (_DOS_FULL,)),
    Target("ntpath", "splitdrive", (_DOS_FULL,)),
    Target("ntpath", "split", (_DOS_FULL,)),
    Target("ntpath", "join", (_DOS_FULL, _DOS)),
    Target("ntpath", "isabs", (_DOS_FULL,)),
    Target("ntpath", "commonpath", (lists(formed("C:\\{}", _DOS), 1, 3),)),
    Target("genericpath", "commonprefix", (lists(texts("abc", 0, 5), 0, 4),)),
    Target("urllib.parse", "quote", (texts("a b/é%~", 0, 8), one_of("/", "", "é"))),
    Target("urllib.parse", "quote_plus", (texts("a b/+%", 0, 8),)),
    Target("urllib.parse", "unquote", (texts("a%20C3A9+", 0, 12),)),
    Target("urllib.parse", "urlsplit", (_URL,)),
    Target("urllib.parse", "urlparse", (_URL,)),
    Target("urllib.parse", "urljoin", (_URL, _URL)),
    Target("urllib.parse", "urldefrag", (_URL,)),
    Target("urllib.parse", "parse_qsl", (_QUERY, one_of(False, True))),
    Target("urllib.parse", "parse_qs", (_QUERY,)),
    Target(
        "urllib.parse",
        "urlencode",
        (mappings(WORD, either(WORD, lists(INT, 0, 3))), one_of(False, True)),
    ),
    front(
        "urllib.parse",
        "urlsplit",
        "host_and_port(url)",
        "parts = urlsplit(url)\nreturn [parts.hostname, parts.port, parts.username]",
        _URL,
    ),
    Target(
        "email._parseaddr",
        "parsedate_tz",
        (
            formed(
                "{}{} {} {} {}:{}{} {}",
                one_of("", "Mon, "),
                DAY,
                one_of("Jan", "may", "December"),
                one_of(1999, 99, 2021, 5),
                integers(0, 23),
                integers(10, 59),
                one_of("", ":07"),
                one_of("+0100", "-0530", "GMT", "EST", ""),
            ),
        ),
    ),
    Target(
        "email.utils",
        "formataddr",
        (tuples(one_of("", "Ann", "Lee, B.", 'A "q"', "Zoé"), formed("{}@b.org", WORD)),),
    ),
    front(
        "email._parseaddr",
        "AddressList",
        "addresses(text)",
        "return AddressList(text).addresslist",
        joined(", ", _ADDRESS, 0, 3),
    ),
    Target("email.quoprimime", "body_encode", (texts("ab =\té\n.", 0, 20), integers(5, 12))),
    Target(
        "email.quoprimime",
        "decode",
        (joined("", one_of("a", "=41", "=", "=\n", " ", "b\n", "=e9"), 0, 7),),
    ),
    Target("email.quoprimime", "header_encode", (byte_texts(),)),
    front(
        "ipaddress",
        "ip_network",
        "hosts(text)",
        "net = ip_network(text)\n"
        "return [str(h) for h, _ in zip(net.hosts(), range(4))] + [str(net.broadcast_address)]",
        _NET,
    ),
    front(
        "ipaddress",
        "ip_address",
        "forms(text)",
        "address = ip_address(text)\n"
        "return [str(address), address.exploded, int(address), address.is_private]",
        either(_IPV4, _IPV6),
    ),
    front(
        "ipaddress",
        "collapse_addresses ip_network",
        "collapsed(nets)",
        "return [str(net) for net in collapse_addresses(map(ip_network, nets))]",
        lists(_NET, 0, 4),
    ),
    front(
        "ipaddress",
        "summarize_address_range IPv4Address",
        "ranges(first, last)",
        "return [str(n) for n in summarize_address_range(IPv4Address(first), IPv4Address(last))]",
        integers(0, 40),
        integers(40, 300),
    ),
    Target("http.cookies", "_quote", (texts('a b;"\\é', 0, 8),)),
    Target(
        "http.cookies",
        "_unquote",
        (formed('"{}"', joined("", one_of("a", '\\"', "\\101", "\\", "b "), 0, 6)),),
    ),
    front(
        "http.cookies",
        "SimpleCookie",
        "cookies(text)",
        "jar = SimpleCookie(text)\nreturn {key: [m.value, m['path']] for key, m in jar.items()}",
        joined("; ", one_of("a=1", 'b="x y"', "Path=/p", "c", "d=e=f", "secure"), 0, 5),
    ),
    Target(
        "http.cookiejar",
        "http2time",
        (
            one_of(
                "Wed, 09 Feb 1994 22:23:32 GMT",
                "09 Feb 1994",
                "Feb  3 00:00",
                "08-Feb-94 14:15:29 GMT",
                "1994-02-03",
                "x",
                "Tue 8-Feb-2005 1:2:3 PM",
            ),
        ),
    ),
    Target("http.cookiejar", "split_header_words", (lists(_HEADER, 1, 2),)),
    Target(
        "http.cookiejar",
        "join_header_words",
        (lists(lists(tuples(WORD, one_of(None, "x", "a b", 'q"')), 1, 3), 0, 3),),
    ),
    Target("http.cookiejar", "parse_ns_headers", (lists(_HEADER, 1, 2),)),
    Target(
        "http.cookiejar",
        "domain_match",
        (
            one_of("a.b.com", "b.com", "x.com", "1.2.3.4"),
            one_of(".b.com", "b.com", "a.b.com", "1.2.3.4"),
        ),
    ),
    Target("http.cookiejar", "escape_path", (texts("a/ %é", 0, 8),)),
    Target(
        "wsgiref.headers", "_formatparam", (WORD, one_of(None, "", "x", "a b", 'q"'), one_of(1, 0))
    ),
    Target(
        "nturl2path",
        "url2pathname",
        (one_of("///C|/a/b", "//host/s", "/a/b%20c", "///c:/x/", "C|a", "/"),),
    ),
    Target(
        "nturl2path",
        "pathname2url",
        (one_of("C:\\a\\b", "\\\\host\\s", "a b\\c", "c:x", "C:\\", "\\"),),
    ),
    Target("smtplib", "quoteaddr", (_ADDRESS,)),
)
