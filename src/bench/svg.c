/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A report as a picture: a group of bars for each case. Within a group lengths are in proportion;
 * between groups they are not, since units and magnitudes differ.
 */
#include "bench.h"

#include <math.h>

#define WIDTH	   990
#define MARGIN	   24
#define HEAD	   78  /* title and machine */
#define LABELS	   320 /* where bars begin */
#define BAR_MAX	   460
#define BAR_HEIGHT 16
#define BAR_GAP	   3
#define GROUP_GAP  16

static const char *const colours[KT_BENCH_SIDES] = {"#1a6fb0", "#b8bec6", "#dfe3e8", "#d98b2b",
						    "#5a9e6f", "#9a6fb0", "#c95f5f", "#8c7a5b"};

static void write_escaped(const char *text, FILE *to)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		default:
			/* XML 1.0 has no way to write other control characters. */
			fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
		}
	}
}

static size_t count_bars(const struct kt_bench_result *result)
{
	size_t bars = 0;

	for (size_t side = 0; side < KT_BENCH_SIDES; side++)
		bars += !isnan(result->medians[side]);
	return bars;
}

static double longest(const struct kt_bench_result *result)
{
	double most = 0;

	for (size_t side = 0; side < KT_BENCH_SIDES; side++)
		most = fmax(most, result->medians[side]); /* fmax passes over NaN */
	return most;
}

static unsigned int group_height(const struct kt_bench_result *result)
{
	return (unsigned int)count_bars(result) * (BAR_HEIGHT + BAR_GAP) + GROUP_GAP;
}

static void write_bar(const struct kt_bench_result *result, size_t side, unsigned int y, FILE *to)
{
	double value = result->medians[side], most = longest(result);
	double len = most > 0 ? value / most * BAR_MAX : 0;

	fprintf(to,
		"<rect x=\"%d\" y=\"%u\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>"
		"<text x=\"%.1f\" y=\"%u\">",
		LABELS, y, fmax(len, 1), BAR_HEIGHT, colours[side], LABELS + fmax(len, 1) + 6,
		y + BAR_HEIGHT - 4);
	write_escaped(kt_bench_side_name(result->of, side), to);
	fprintf(to, value >= 1000 ? " %.0f " : " %.3g ", value);
	write_escaped(result->of->unit, to);
	fputs("</text>\n", to);
}

static void write_label(const struct kt_bench_result *result, unsigned int y, FILE *to)
{
	double ratio = kt_bench_ratio(result, KT_BENCH_STOCK);

	fprintf(to, "<text x=\"%d\" y=\"%u\" class=\"case\">", MARGIN, y + BAR_HEIGHT - 4);
	write_escaped(result->of->name, to);
	if (result->of->threads > 1)
		fprintf(to, ", %u threads", result->of->threads);
	fputs("</text>\n", to);
	if (isnan(ratio))
		return;
	fprintf(to, "<text x=\"%d\" y=\"%u\" class=\"small\">%.*f times better</text>\n", MARGIN,
		y + 2 * BAR_HEIGHT - 2, ratio < 10 ? 1 : 0, ratio);
}

static void write_head(const struct kt_bench_report *report, unsigned int height, FILE *to)
{
	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" "
		"viewBox=\"0 0 %d %u\">\n"
		"<style>text{font:12px sans-serif;fill:#333}.title{font-size:18px;"
		"font-weight:bold}.case{font-weight:bold}.small{font-size:11px;fill:#666}"
		"</style>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
		"<text x=\"%d\" y=\"34\" class=\"title\">",
		WIDTH, height, WIDTH, height, MARGIN);
	write_escaped(report->suite->title, to);
	fprintf(to, "</text>\n<text x=\"%d\" y=\"54\" class=\"small\">", MARGIN);
	write_escaped(report->cpu, to);
	fputs(", OpenSSL ", to);
	write_escaped(report->openssl, to);
	fprintf(to, ", medians of %u; bars are in proportion within a case</text>\n", report->runs);
}

void kt_bench_write_svg(const struct kt_bench_report *report, FILE *to)
{
	unsigned int y = HEAD, height = HEAD + MARGIN;

	for (size_t i = 0; i < report->count; i++)
		height += group_height(&report->results[i]);
	write_head(report, height, to);
	for (size_t i = 0; i < report->count; i++) {
		const struct kt_bench_result *result = &report->results[i];
		unsigned int at = y;

		write_label(result, y, to);
		for (size_t side = 0; side < KT_BENCH_SIDES; side++) {
			if (isnan(result->medians[side]))
				continue;
			write_bar(result, side, at, to);
			at += BAR_HEIGHT + BAR_GAP;
		}
		y += group_height(result);
	}
	fputs("</svg>\n", to);
}
