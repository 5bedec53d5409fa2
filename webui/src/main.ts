import '@fontsource-variable/figtree'
import { mount } from 'svelte'
import App from './App.svelte'
import './app.css'
import { theme } from './theme.svelte'

theme.apply()
const target = document.getElementById('app')
if (target) mount(App, { target })
