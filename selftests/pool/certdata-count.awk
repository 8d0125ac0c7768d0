# SPDX-License-Identifier: BSD-2-Clause
#
# awk -v version=V -f certdata-count.awk CERTDATA: counts the roots of a certdata.txt without the parser of the library,
# and in another way: octal stays text, objects are records, what is trusted is looked up by issuer and serial number.
# Prints the lines of certdata.expect for that version. Knows nothing of errors: for files that are known to be good.

function finish() {
	if (class == "CKO_CERTIFICATE") {
		order[++n] = key()
		names[n] = label
		subjects[n] = value["CKA_SUBJECT"]
		if ("CKA_NSS_SERVER_DISTRUST_AFTER" in value)
			after[key()] = value["CKA_NSS_SERVER_DISTRUST_AFTER"]
		is_certificate[key()] = 1
	} else if (class == "CKO_NSS_TRUST") {
		trusts[++t] = key()
		trust[key()] = server
		if ("CKA_NSS_SERVER_DISTRUST_AFTER" in value)
			after[key()] = value["CKA_NSS_SERVER_DISTRUST_AFTER"]
	}
	split("", value)
	class = label = server = ""
}

function key() { return value["CKA_ISSUER"] " " value["CKA_SERIAL_NUMBER"] }

# What Mozilla's code limits by subject, seen as the octal of its common name.
function octal_of(text,    i, result) {
	for (i = 1; i <= length(text); i++)
		result = result sprintf("\\%03o", index(ascii, substr(text, i, 1)) + 31)
	return result
}

function text_of(octal,    i, number, result) {
	for (i = 1; i + 3 <= length(octal); i += 4) {
		number = substr(octal, i + 1, 1) * 64 + substr(octal, i + 2, 1) * 8 + substr(octal, i + 3, 1)
		result = result sprintf("%c", number)
	}
	return result
}

BEGIN { for (i = 32; i < 127; i++) ascii = ascii sprintf("%c", i) }

$1 == "END" { octal = ""; next }
octal != "" { value[octal] = value[octal] $0; next }
$1 == "CKA_CLASS" { finish(); class = $3 }
$2 == "MULTILINE_OCTAL" { octal = $1; value[octal] = "" }
$1 == "CKA_LABEL" { label = substr($0, index($0, "\"")) }
$1 == "CKA_TRUST_SERVER_AUTH" { server = $3 }

END {
	finish()
	tubitak = octal_of("TUBITAK Kamu SM SSL Kok Sertifikasi - Surum 1")
	for (i = 1; i <= n; i++) {
		kind[trust[order[i]]]++
		if (trust[order[i]] != "CKT_NSS_TRUSTED_DELEGATOR")
			continue
		limited = 0
		if (order[i] in after) {
			limits = limits version " limit " names[i] " after " text_of(after[order[i]]) "\n"
			limited = 1
		}
		if (index(subjects[i], tubitak)) {
			limits = limits version " limit " names[i] " names tr\n"
			limited = 1
		}
		constrained += limited
	}
	for (i = 1; i <= t; i++)
		alone += !(trusts[i] in is_certificate)
	print version, "certificates", n
	print version, "trusted", kind["CKT_NSS_TRUSTED_DELEGATOR"] + 0
	print version, "constrained", constrained + 0
	print version, "must-verify", kind["CKT_NSS_MUST_VERIFY_TRUST"] + 0
	print version, "not-trusted", kind["CKT_NSS_NOT_TRUSTED"] + 0
	print version, "trust-without-certificate", alone + 0
	printf "%s", limits
}
