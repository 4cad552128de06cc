package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// The picture, in its own units: where the plot is, and what is around it.
const (
	svgWidth, svgHeight         = 760, 440
	plotLeft, plotRight         = 90, 730
	plotTop, plotBottom float64 = 50, 380
)

// axis maps values to a line of the picture, by their logarithms: kernels and times go
// over orders of magnitude.
type axis struct {
	least, most float64 // values, more than 0
	from, to    float64 // where these are
}

func (a axis) at(v float64) float64 {
	v = min(max(v, a.least), a.most)
	return a.from + (a.to-a.from)*math.Log(v/a.least)/math.Log(a.most/a.least)
}

// decades are the powers of ten within the axis.
func (a axis) decades() []float64 {
	var all []float64
	for e := math.Ceil(math.Log10(a.least) - 1e-9); e <= math.Log10(a.most)+1e-9; e++ {
		all = append(all, math.Pow(10, e))
	}
	return all
}

// axes are large enough for all points and for the line of raw files. The one of times
// begins and ends with a power of ten.
func (c *curve) axes() (kernels, seconds axis) {
	first, last := c.Points[0].Kernels, c.Points[len(c.Points)-1].Kernels
	kernels = axis{float64(first), float64(max(last, first+1)), plotLeft, plotRight}
	times := []float64{c.RawPerKernel * kernels.least, c.RawPerKernel * kernels.most}
	for _, p := range c.Points {
		times = append(times, p.CPU)
	}
	times = slices.DeleteFunc(times, func(v float64) bool { return v <= 0 })
	if len(times) == 0 {
		times = []float64{1}
	}
	low, high := math.Floor(math.Log10(slices.Min(times))), math.Ceil(math.Log10(slices.Max(times)))
	return kernels, axis{math.Pow(10, low), math.Pow(10, max(high, low+1)), plotBottom, plotTop}
}

// svg draws kernels against CPU time. It has no background, and colours that stand out
// from a light one and from a dark one.
func (c *curve) svg() []byte {
	var out bytes.Buffer
	kernels, seconds := c.axes()
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">
<title>CPU time of generate, by number of kernels: from a kernel store, and from raw files</title>
<style>
text { fill: #57606a } .grid { stroke: #8c959f; stroke-opacity: .3 } .axis { stroke: #8c959f }
.store { stroke: #2f81f7; fill: #2f81f7 } .raw { stroke: #d9730d; fill: #d9730d } .line { fill: none; stroke-width: 2.5 } text.store, text.raw { stroke: none }
@media (prefers-color-scheme: dark) { text { fill: #b1bac4 } }
text.store { fill: #2f81f7 } text.raw { fill: #d9730d }
</style>
`, svgWidth, svgHeight)
	for _, v := range seconds.decades() {
		y := seconds.at(v)
		fmt.Fprintf(&out, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			plotLeft, y, plotRight, y, plotLeft-10, y+4, duration(v))
	}
	for _, v := range c.ticks(kernels) {
		x := kernels.at(v)
		fmt.Fprintf(&out, `<line class="grid" x1="%.1f" y1="%.0f" x2="%.1f" y2="%.0f"/><text x="%.1f" y="%.0f" text-anchor="middle">%s</text>`+"\n",
			x, plotTop, x, plotBottom, x, plotBottom+20, grouped(int(math.Round(v))))
	}
	fmt.Fprintf(&out, `<path class="axis" fill="none" d="M%d %.0fV%.0fH%d"/>`+"\n", plotLeft, plotTop, plotBottom, plotRight)
	fmt.Fprintf(&out, `<text x="%d" y="%.0f" text-anchor="middle">kernels (logarithmic)</text>`+"\n", (plotLeft+plotRight)/2, plotBottom+44)
	fmt.Fprintf(&out, `<text x="%d" y="24">CPU time, user and system (logarithmic)</text>`+"\n", 20)

	raw := func(n float64) (x, y float64) { return kernels.at(n), seconds.at(n * c.RawPerKernel) }
	x1, y1 := raw(kernels.least)
	x2, y2 := raw(kernels.most)
	fmt.Fprintf(&out, `<path class="raw line" stroke-dasharray="7 5" d="M%.1f %.1fL%.1f %.1f"/>`+"\n", x1, y1, x2, y2)
	middleX, middleY := (x1+x2)/2, (y1+y2)/2
	fmt.Fprintf(&out, `<text class="raw" x="%.1f" y="%.1f" text-anchor="end">from raw files: %.3g ms a kernel</text>`+"\n", middleX-12, middleY-8, 1000*c.RawPerKernel)

	for i, p := range c.Points {
		command := "L"
		if i == 0 {
			out.WriteString(`<path class="store line" d="`)
			command = "M"
		}
		fmt.Fprintf(&out, "%s%.1f %.1f", command, kernels.at(float64(p.Kernels)), seconds.at(p.CPU))
	}
	out.WriteString(`"/>` + "\n")
	for _, p := range c.Points {
		fmt.Fprintf(&out, `<circle class="store" r="3.5" cx="%.1f" cy="%.1f"/>`+"\n", kernels.at(float64(p.Kernels)), seconds.at(p.CPU))
	}
	last := c.Points[len(c.Points)-1]
	fmt.Fprintf(&out, `<text class="store" x="%d" y="%.1f" text-anchor="end">from the store: %s for %s</text>`+"\n",
		plotRight-8, seconds.at(last.CPU)-14, duration(last.CPU), grouped(last.Kernels))
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// ticks of the kernels are the powers of ten, and the last point unless that is close to one.
func (c *curve) ticks(kernels axis) []float64 {
	ticks := kernels.decades()
	const close = 40
	if n := len(ticks); n == 0 || kernels.to-kernels.at(ticks[n-1]) > close {
		ticks = append(ticks, kernels.most)
	}
	return ticks
}

// duration is a time in seconds, for people.
func duration(v float64) string {
	switch {
	case v < 0.9995e-3:
		return fmt.Sprintf("%.3g µs", v*1e6)
	case v < 0.9995:
		return fmt.Sprintf("%.3g ms", v*1e3)
	}
	return fmt.Sprintf("%.3g s", v)
}
